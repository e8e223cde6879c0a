import sys
import threading

import torch

from xttsproject.xtts.hurry import loading_pool


def _threads_of_a_new_thread() -> int:
    found: list[int] = []
    asker = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    asker.start()
    asker.join()
    return found[0]


def test_each_thread_of_the_pool_computes_by_itself_and_no_other_does() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        meeting = threading.Barrier(3)

        def told(_: int) -> int:
            # None of the three is done before all have begun, so that they are three threads.
            meeting.wait(timeout=60)
            torch.zeros(100_000).add_(1)
            return torch.get_num_threads()

        with loading_pool() as pool:
            assert list(pool.map(told, range(3))) == [1, 1, 1]
            assert torch.get_num_threads() == 3
            assert _threads_of_a_new_thread() == 3
    finally:
        torch.set_num_threads(before)


def test_turns_are_short_until_the_last_of_two_that_load_is_done() -> None:
    usual = sys.getswitchinterval()
    with loading_pool():
        with loading_pool():
            assert sys.getswitchinterval() < usual / 2
        assert sys.getswitchinterval() < usual / 2
    assert sys.getswitchinterval() == usual


def test_turns_are_as_before_after_a_load_that_failed() -> None:
    usual = sys.getswitchinterval()
    try:
        with loading_pool() as pool:
            pool.submit(int, "no number").result()
    except ValueError:
        pass
    assert sys.getswitchinterval() == usual
