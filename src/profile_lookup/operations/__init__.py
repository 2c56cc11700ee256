"""Operations: what became of a request that was accepted."""
