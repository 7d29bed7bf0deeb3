"""The frames that the suites look at, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from expectations import bill_frames, usage_frames
from expectations.reading import Reader, Row

FRAMES: Mapping[str, Callable[[Reader], list[Row]]] = {
    frame.__name__: frame
    for frame in (
        usage_frames.days_of_usage,
        usage_frames.event_names,
        usage_frames.customer_events,
        usage_frames.delays,
        usage_frames.meters,
        usage_frames.customer_meters,
        usage_frames.unbilled,
        bill_frames.rates,
        bill_frames.lines,
        bill_frames.prices,
        bill_frames.documents,
        bill_frames.credits,
    )
}
