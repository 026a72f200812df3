import numpy as np
import onnxruntime
import pytest
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.preprocessing import KBinsDiscretizer

from training.features import bins_graph
from training.onnx_graph import OPSET

EDGE_CASES = {
    "normal": np.random.default_rng(0).normal(size=500),
    "large": np.random.default_rng(1).normal(1e6, 1, size=500),
    "small": np.random.default_rng(2).normal(0, 1e-4, size=500),
    "few values": np.random.default_rng(3).integers(0, 3, size=500),
    "constant": np.full(500, 4.2),
}


def onehot(bins: KBinsDiscretizer, values: np.ndarray) -> np.ndarray:
    bins_graph.register()
    model = to_onnx(bins, initial_types=[("x", FloatTensorType([None, values.shape[1]]))], target_opset=OPSET)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": values})[0]


def fitted(table: np.ndarray, encode: str = "onehot-dense") -> KBinsDiscretizer:
    bins = KBinsDiscretizer(7, encode=encode, quantile_method="averaged_inverted_cdf", subsample=None, dtype=np.float32)
    return bins.fit(table)


def around(edges: np.ndarray) -> np.ndarray:
    """Each finite edge as float32, with its neighbours below and above, and values beyond all of them."""
    finite = edges[np.isfinite(edges)].astype(np.float32)
    below, above = (np.nextafter(finite, np.float32(end)) for end in (-np.inf, np.inf))
    return np.concatenate([finite, below, above, np.array([-3e38, 0, 3e38], dtype=np.float32)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", EDGE_CASES)
@pytest.mark.filterwarnings("ignore:Bins whose width", "ignore:Feature 0 is constant")
def test_values_at_and_beside_every_edge_fall_into_scikit_learns_bins(name: str, dtype: type) -> None:
    bins = fitted(EDGE_CASES[name].astype(dtype)[:, None])
    values = around(bins.bin_edges_[0])[:, None]
    np.testing.assert_array_equal(onehot(bins, values), bins.transform(values))


@pytest.mark.filterwarnings("ignore:Bins whose width", "ignore:Feature 4 is constant")
def test_columns_of_unequal_bins_keep_to_their_own_edges() -> None:
    table = np.column_stack(list(EDGE_CASES.values())).astype(np.float32)
    bins = fitted(table, encode="onehot")
    assert len(set(bins.n_bins_)) > 1
    answer = onehot(bins, table)
    np.testing.assert_array_equal(answer, bins.transform(table).toarray())
    assert (answer.sum(axis=1) == len(EDGE_CASES)).all()
