"""The event loop stays awake for as long as was asked, and sleeps again."""

import time

import uvloop

from serving.eager import Eager

SECONDS = 0.05


def test_the_loop_turns_until_the_time_is_over_and_then_sleeps() -> None:
    loop = uvloop.new_event_loop()
    eager = Eager(SECONDS)
    turns: list[float] = []

    def turned() -> None:
        turns.append(time.perf_counter())
        if eager.looking:
            loop.call_soon(turned)

    loop.call_soon(eager.look, loop)
    loop.call_later(SECONDS / 2, eager.look, loop)
    loop.call_soon(turned)
    loop.call_later(10 * SECONDS, loop.stop)
    start, cpu = time.perf_counter(), time.process_time()
    loop.run_forever()
    busy, spent = turns[-1] - start, time.process_time() - cpu
    loop.close()
    assert len(turns) > 20
    assert busy > 1.3 * SECONDS  # the second time from halfway of the first
    assert not eager.looking
    assert spent < 8 * SECONDS  # of 10
