"""Addresses take turns, and few requests of strangers are under way at the same time."""

from profile_lookup.serving.admission_turns import AdmissionTurns, Turn


class _Requests:
    def __init__(self, turns: AdmissionTurns) -> None:
        self.started: list[str] = []
        self._turns = turns

    def enter(self, name: str) -> Turn:
        """Enter a request of the address that is the first letter of its name."""
        return self._turns.enter(name[0], lambda _turn: self.started.append(name))


def test_only_so_many_are_under_way() -> None:
    requests = _Requests(AdmissionTurns(2))
    turns = [requests.enter(name) for name in ("a1", "a2", "a3", "a4")]
    assert requests.started == ["a1", "a2"]
    assert [turn.is_awaited for turn in turns] == [False, False, True, True]
    turns[1].give_up()
    turns[1].give_up()  # it counts once
    assert requests.started == ["a1", "a2", "a3"]


def test_an_address_with_many_requests_does_not_delay_the_others() -> None:
    requests = _Requests(AdmissionTurns(1))
    names = ("a1", "a2", "a3", "a4", "b1", "c1", "c2")
    turns = {name: requests.enter(name) for name in names}
    for count in range(1, len(names) + 1):
        assert len(requests.started) == count
        turns[requests.started[-1]].give_up()
    assert requests.started == ["a1", "a2", "b1", "c1", "a3", "c2", "a4"]


def test_a_request_that_gave_up_is_not_started() -> None:
    requests = _Requests(AdmissionTurns(1))
    first, second, _ = (requests.enter(name) for name in ("a1", "a2", "b1"))
    second.give_up()
    first.give_up()
    assert requests.started == ["a1", "b1"]


def test_nobody_waits_when_all_have_gone() -> None:
    requests = _Requests(AdmissionTurns(1))
    first, second = (requests.enter(name) for name in ("a1", "a2"))
    first.give_up()
    second.give_up()
    assert not requests.enter("a3").is_awaited
