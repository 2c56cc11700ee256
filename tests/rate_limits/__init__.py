"""Token buckets, without and with several processes."""
