"""Smartwatch recordings of ten persons doing seven physiotherapy exercises (Burns et al. 2018), cut into windows."""

import numpy as np
import pandas as pd

from data import package

WATCH = ("data/watch_dataset.npy", "eb122f23cdf06ef6bd6c6c5312958ec5cf9d038e2e6d457b8081662c75a42537")
STEPS, STRIDE = 100, 50  # at 50 Hz: two seconds, every second


def read() -> pd.DataFrame:
    """One row a window: `motion` (100 steps of acceleration and turning rate, 3 axes each), `person`, `exercise`."""
    path = package.file("seglearn", *WATCH)  # a pickle, harmless once its hash is checked
    recordings = np.load(path, allow_pickle=True).item()
    parts = [
        pd.DataFrame(
            {
                "motion": [
                    signal[start : start + STEPS].reshape(STEPS, 2, 3)
                    for start in range(0, len(signal) - STEPS + 1, STRIDE)
                ],
                "person": int(person),
                "exercise": recordings["y_labels"][int(code)],
            }
        )
        for signal, person, code in zip(recordings["X"], recordings["subject"], recordings["y"], strict=True)
    ]
    return pd.concat(parts, ignore_index=True)
