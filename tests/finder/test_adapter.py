"""What adapters and those who ask them have in common."""

from __future__ import annotations

import pytest

from finder.adapter import Want


@pytest.mark.parametrize(
    ("want", "admitted"),
    [
        (Want(), ["ses_A1", "ses_b2"]),
        (Want(ids=("ses_A1", "other")), ["ses_A1"]),
        (Want(ids=()), []),
        (Want(prefix="SES_a"), ["ses_A1"]),
        (Want(prefix=""), ["ses_A1", "ses_b2"]),
        (Want(ids=("ses_A1",), prefix="ses_b"), []),
    ],
)
def test_which_ids_are_wanted(want: Want, admitted: list[str]) -> None:
    assert [one for one in ("ses_A1", "ses_b2") if want.admits(one)] == admitted
