"""Forgetting: a value that is removed leaves every event, whatever part of it holds the value."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from profile_lookup.identity.history.event import Before, Event, forgotten, is_forgotten
from profile_lookup.identity.identifier import NormalizedIdentifier
from profile_lookup.identity.profile import Profile, TraitName, TraitValue

Forms = Mapping[NormalizedIdentifier, NormalizedIdentifier]


def identifiers_of(event: Event) -> set[NormalizedIdentifier]:
    """Return all identifiers whose values the event holds, also those that clients do not see."""
    held = {
        *event.request.carried.values(),
        *(each.identifier for each in event.matched),
        *event.added,
        *event.removed,
        *event.evicted,
        *event.before.lost,
        *event.before.retimed,
    }.union(*(profile.identifiers for profile in event.absorbed))
    return {each for each in held if not is_forgotten(each)}


def traits_of(event: Event) -> set[TraitName]:
    """Return all traits that the event names."""
    return {*event.request.traits, *event.before.traits}.union(*(profile.traits for profile in event.absorbed))


def without_identifiers(event: Event, identifiers: Collection[NormalizedIdentifier]) -> Event:
    """Return the event without the values of these identifiers. Where clients see one, its type is left."""
    shown = {each: forgotten(each) for each in identifiers}
    before = event.before
    return replace(
        _with_forms(event, shown),
        absorbed=tuple(replace(each, identifiers=_without(each.identifiers, identifiers)) for each in event.absorbed),
        before=replace(
            before,
            lost=_without(before.lost, identifiers),
            retimed=_without(before.retimed, identifiers),
            held=before.held.difference(identifiers),
        ),
    )


def without_traits(event: Event, names: Collection[TraitName]) -> Event:
    """Return the event without all values of these traits. Where clients see one, its name is left."""
    return replace(
        event,
        request=replace(
            event.request,
            traits={name: None if name in names else value for name, value in event.request.traits.items()},
        ),
        absorbed=tuple(_profile_without_traits(each, names) for each in event.absorbed),
        before=replace(
            event.before,
            traits={name: None if name in names else trait for name, trait in event.before.traits.items()},
        ),
    )


def without_trait_values(event: Event, values: Collection[tuple[TraitName, TraitValue]]) -> Event:
    """Return the event without these values of traits; other values of the same traits stay.

    A removed identifier may be in the traits that promoted it. Values that a profile still has are not to be given.
    """
    return replace(
        event,
        request=replace(
            event.request,
            traits={name: None if (name, value) in values else value for name, value in event.request.traits.items()},
        ),
        absorbed=tuple(
            replace(
                profile,
                traits={name: trait for name, trait in profile.traits.items() if (name, trait.value) not in values},
            )
            for profile in event.absorbed
        ),
        before=replace(
            event.before,
            traits={
                name: None if trait is None or (name, trait.value) in values else trait
                for name, trait in event.before.traits.items()
            },
        ),
    )


def rewritten_event(event: Event, forms: Forms) -> Event:
    """Return the event with another form of the identifiers that have one, after a change of normalization.

    Of identifiers that become equal, one stays where clients see them, and the earlier time.
    """
    before = event.before
    return replace(
        _with_forms(event, forms),
        absorbed=tuple(replace(each, identifiers=_in_form(each.identifiers.items(), forms)) for each in event.absorbed),
        before=replace(
            before,
            lost=_in_form(before.lost.items(), forms),
            retimed=_in_form(before.retimed.items(), forms),
            held=frozenset(forms.get(each, each) for each in before.held),
        ),
    )


def ended(event: Event) -> Event:
    """Return the event without what is needed to undo it, after the time for which history is kept."""
    return replace(
        event,
        absorbed=tuple(Profile(each.id, {}, {}) for each in event.absorbed),
        before=Before(traits=event.before.traits),
        has_ended=True,
    )


def promoting_values(
    event: Event,
    identifiers: Collection[NormalizedIdentifier],
    promoted: Callable[[TraitName, TraitValue], Collection[NormalizedIdentifier]],
    kept: Collection[tuple[TraitName, TraitValue]],
) -> list[tuple[TraitName, TraitValue]]:
    """Return the traits of the event that hold one of these identifiers, but for those that are `kept`.

    `promoted` returns the identifiers that a trait's value makes by today's rules.
    """
    held = [
        *((name, value) for name, value in event.request.traits.items() if value is not None),
        *((name, trait.value) for name, trait in event.before.traits.items() if trait is not None),
        *((name, trait.value) for profile in event.absorbed for name, trait in profile.traits.items()),
    ]
    return [
        (name, value)
        for name, value in held
        if (name, value) not in kept and any(each in identifiers for each in promoted(name, value))
    ]


def _with_forms(event: Event, forms: Forms) -> Event:
    """Return the event with another form of identifiers where clients see them, and in its request."""

    def in_form(identifiers: Iterable[NormalizedIdentifier]) -> tuple[NormalizedIdentifier, ...]:
        became = [forms.get(each, each) for each in identifiers]
        first = {each: place for place, each in reversed([*enumerate(became)])}
        return tuple(each for place, each in enumerate(became) if is_forgotten(each) or first[each] == place)

    return replace(
        event,
        request=replace(
            event.request, carried={place: forms.get(each, each) for place, each in event.request.carried.items()}
        ),
        matched=tuple(each._replace(identifier=forms.get(each.identifier, each.identifier)) for each in event.matched),
        added=in_form(event.added),
        removed=in_form(event.removed),
        evicted=in_form(event.evicted),
    )


def _in_form(
    times: Iterable[tuple[NormalizedIdentifier, datetime]], forms: Forms
) -> dict[NormalizedIdentifier, datetime]:
    in_form: dict[NormalizedIdentifier, datetime] = {}
    for each, at in times:
        form = forms.get(each, each)
        in_form[form] = min(at, in_form.get(form, at))
    return in_form


def _without(
    times: Mapping[NormalizedIdentifier, datetime], identifiers: Collection[NormalizedIdentifier]
) -> dict[NormalizedIdentifier, datetime]:
    return {each: at for each, at in times.items() if each not in identifiers}


def _profile_without_traits(profile: Profile, names: Collection[TraitName]) -> Profile:
    return replace(profile, traits={name: trait for name, trait in profile.traits.items() if name not in names})
