"""Are the numbers those that JAX draws?

The answers were computed with JAX 0.10.2 on a CPU, for key 42 and both values of the flag
``jax_threefry_partitionable``, and are written out so that the test needs no JAX.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from minijax import random
from minijax.config import enable_x64, threefry_partitionable

LOGITS = np.log(np.array([[0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]], np.float32))
WEIGHTS = np.array([0.1, 0.2, 0.3, 0.4], np.float32)

# What is drawn, what it is with the flag off, what it is with the flag on. All exact.
INTEGERS: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (
        lambda key: random.key_data(random.split(key, 3)),
        [[3134548294, 3733159049], [3746501087, 894150801], [801545058, 2363201431]],
        [[1832780943, 270669613], [64467757, 2916123636], [2465931498, 255383827]],
    ),
    (
        lambda key: random.key_data(random.fold_in(key, 7)),
        [2547012911, 1371500959],
        [2547012911, 1371500959],
    ),
    (
        lambda key: random.bits(key, (5,), np.uint8),
        [45, 179, 215, 3, 244],
        [162, 217, 249, 215, 21],
    ),
    (
        lambda key: random.bits(key, (5,), np.uint16),
        [8426, 37627, 63599, 6563, 55571],
        [5026, 12505, 63993, 49623, 29461],
    ),
    (
        lambda key: random.bits(key, (5,)),
        [3134548294, 3733159049, 843694964, 894150801, 801545058],
        [2098992034, 2919706841, 2646866425, 2409546199, 1935504149],
    ),
    (lambda key: random.randint(key, (6,), 0, 10), [2, 3, 9, 9, 4, 6], [4, 4, 1, 9, 9, 9]),
    (
        lambda key: random.randint(key, (6,), -100, 100, np.int8),
        [-88, -57, -31, 29, 84, -74],
        [-56, 14, -29, 69, 9, -81],
    ),
    (
        lambda key: random.randint(key, (3,), 0, 2**31 - 1, np.uint32),
        [1224796891, 480799867, 754422081],
        [977810629, 1236381715, 780371127],
    ),
    (
        lambda key: random.randint(key, (3,), -(2**31), 2**31 - 1),
        [-922686757, 480799866, -1393061567],
        [977810628, 1236381714, -1367112521],
    ),
    (
        lambda key: random.randint(key, (4,), -200, 300, np.int8),
        [91, -78, -63, 49],
        [68, -110, 55, 65],
    ),
    (
        lambda key: random.bernoulli(key, 0.4, (8,)),
        [False, False, True, True, False, True, True, True],
        [False, False, False, False, False, False, True, False],
    ),
    (
        lambda key: random.bernoulli(key, 0.4, (8,), "high"),
        [True, False, True, False, True, False, True, True],
        [False, False, False, False, False, False, True, False],
    ),
    (lambda key: random.rademacher(key, (6,)), [-1, -1, -1, 1, 1, -1], [1, -1, -1, -1, 1, -1]),
    (lambda key: random.permutation(key, 7), [6, 0, 2, 5, 4, 3, 1], [4, 2, 5, 3, 6, 0, 1]),
    (
        lambda key: random.permutation(key, np.arange(6).reshape(2, 3), axis=1),
        [[2, 0, 1], [5, 3, 4]],
        [[2, 0, 1], [5, 3, 4]],
    ),
    (
        lambda key: random.permutation(key, np.arange(8).reshape(2, 4), 1, independent=True),
        [[0, 3, 2, 1], [6, 7, 5, 4]],
        [[2, 3, 0, 1], [7, 4, 5, 6]],
    ),
    (  # long enough for a second round of sorting
        lambda key: random.permutation(key, 3000)[:8],
        [2553, 1066, 2991, 1806, 2159, 2768, 1383, 1946],
        [2629, 116, 2048, 2566, 2509, 255, 444, 1443],
    ),
    (
        lambda key: random.categorical(key, LOGITS, shape=(6, 2)),
        [[3, 1], [3, 0], [3, 2], [3, 0], [3, 2], [2, 3]],
        [[3, 1], [3, 0], [3, 0], [1, 1], [1, 0], [3, 0]],
    ),
    (
        lambda key: random.categorical(key, LOGITS, shape=(3, 2), replace=False),
        [[1, 0], [3, 1], [0, 2]],
        [[3, 1], [2, 0], [1, 3]],
    ),
    (lambda key: random.categorical(key, LOGITS, axis=0), [1, 0, 0, 0], [1, 1, 0, 0]),
    (lambda key: random.choice(key, 9, (5,)), [4, 0, 7, 6, 1], [0, 6, 0, 1, 2]),
    (
        lambda key: random.choice(key, 9, (5,), replace=False),
        [0, 4, 2, 6, 1],
        [7, 4, 2, 5, 3],
    ),
    (
        lambda key: random.choice(key, 4, (6,), p=WEIGHTS),
        [1, 1, 1, 3, 3, 2],
        [2, 2, 2, 2, 2, 2],
    ),
    (
        lambda key: random.choice(key, 4, (3,), p=WEIGHTS, replace=False),
        [1, 0, 3],
        [3, 2, 1],
    ),
    (
        lambda key: random.choice(key, np.arange(10).reshape(2, 5) * 10, (3,), axis=1),
        [[0, 30, 20], [50, 80, 70]],
        [[40, 40, 10], [90, 90, 60]],
    ),
]

# Floats; those drawn by ``uniform`` alone are exact, others up to the accuracy of logarithms.
FLOATS: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (
        lambda key: random.uniform(key, (3,)),
        [0.574144363403320, 0.100158214569092, 0.0594611167907715],
        [0.488709568977356, 0.679797172546387, 0.616271495819092],
    ),
    (
        lambda key: random.uniform(key, (3,), "bfloat16"),
        [0.5546875, 0.015625, 0.2421875],
        [0.6328125, 0.84375, 0.96875],
    ),
    (
        lambda key: random.uniform(key, (3,), np.float16),
        [0.69921875, 0.0146484375, 0.5146484375],
        [0.076171875, 0.1904296875, 0.9755859375],
    ),
    (random.normal, -0.1847117692232132, -0.02830461598932743),
    (
        lambda key: random.normal(key, (3,)),
        [0.18693546950817108, -1.2806504964828491, -1.559313178062439],
        [-0.02830461598932743, 0.4671318531036377, 0.2957029640674591],
    ),
    (
        lambda key: random.normal(key, (3,), "bfloat16"),
        [0.142578125, -2.109375, -0.69140625],
        [0.34375, 1.015625, 1.890625],
    ),
    (
        lambda key: random.normal(key, (3,), np.float16),
        [0.5224609375, -2.171875, 0.037322998046875],
        [-1.4296875, -0.87548828125, 1.974609375],
    ),
    (
        lambda key: random.truncated_normal(key, -1.0, 2.0, (3,)),
        [0.3282712996006012, -0.7042317986488342, -0.8157211542129517],
        [0.14770005643367767, 0.5684449076652527, 0.42102551460266113],
    ),
    (
        lambda key: random.exponential(key, (3,)),
        [0.8536548614501953, 0.1055363267660141, 0.06130228936672211],
        [0.670817494392395, 1.1388006210327148, 0.9578199982643127],
    ),
    (
        lambda key: random.gumbel(key, (3,)),
        [0.5890134572982788, -0.8333456516265869, -1.0375992059707642],
        [0.3340933918952942, 0.952019453048706, 0.7255305647850037],
    ),
    (
        lambda key: random.gumbel(key, (3,), mode="high"),
        [-0.2690056562423706, -0.7100231051445007, -0.7217699289321899],
        [0.39925798773765564, -0.12997561693191528, 0.043095413595438004],
    ),
    (
        lambda key: random.laplace(key, (3,)),
        [-0.16050775349140167, 1.6078567504882812, 2.1292850971221924],
        [0.022839652374386787, -0.4456535577774048, -0.2646729052066803],
    ),
    (
        lambda key: random.logistic(key, (3,)),
        [0.2987804412841797, -2.195467948913574, -2.7611305713653564],
        [-0.0451694130897522, 0.7528398036956787, 0.47375231981277466],
    ),
    (
        lambda key: random.cauchy(key, (3,)),
        [0.23723779618740082, -3.0724823474884033, -5.2908220291137695],
        [-0.03548463061451912, 0.6337261199951172, 0.38244056701660156],
    ),
]

# With 64-bit types enabled.
WIDE: list[tuple[Callable[[Any], Any], Any, Any]] = [
    (
        lambda key: random.bits(key, (3,), np.uint64),
        [13462782411356743825, 16033796027023006562, 16091099645456652183],
        [7871734211187709741, 276886910877598708, 10591095138341673235],
    ),
    (
        lambda key: random.uniform(key, (2,), np.float64),
        [float.fromhex("0x1.25f641d41e71ap-1"), float.fromhex("0x1.b69931b61fed0p-1")],
        [float.fromhex("0x1.b4f8123c40884p-2"), float.fromhex("0x1.ebd996d6e8400p-7")],
    ),
    (
        lambda key: random.randint(key, (3,), -(2**40), 2**40),
        [499427292169, -636214600888, 265685304538],
        [-64295291339, -359608887618, -961504916329],
    ),
    (
        lambda key: random.key_data(random.key(-3)),
        [4294967295, 4294967293],
        [4294967295, 4294967293],
    ),
]


@pytest.fixture(params=[False, True], ids=["halves", "partitionable"])
def partitionable(request: pytest.FixtureRequest) -> Any:
    with threefry_partitionable(request.param):
        yield request.param


@pytest.mark.parametrize("older_style", [False, True], ids=["key", "PRNGKey"])
@pytest.mark.parametrize("draw, off, on", INTEGERS)
def test_integers(partitionable: bool, older_style: bool, draw: Any, off: Any, on: Any) -> None:
    key = random.PRNGKey(42) if older_style else random.key(42)
    np.testing.assert_array_equal(np.asarray(draw(key)), on if partitionable else off)


@pytest.mark.parametrize("older_style", [False, True], ids=["key", "PRNGKey"])
@pytest.mark.parametrize("draw, off, on", FLOATS)
def test_floats(partitionable: bool, older_style: bool, draw: Any, off: Any, on: Any) -> None:
    key = random.PRNGKey(42) if older_style else random.key(42)
    drawn = np.asarray(draw(key)).astype(np.float64)
    np.testing.assert_allclose(drawn, on if partitionable else off, rtol=2e-6)


@pytest.mark.parametrize("draw, off, on", WIDE)
def test_wide_types(partitionable: bool, draw: Any, off: Any, on: Any) -> None:
    with enable_x64(True):
        drawn = np.asarray(draw(random.key(42)))
        assert drawn.dtype.itemsize == 8 or drawn.dtype == np.uint32
        np.testing.assert_array_equal(drawn, on if partitionable else off)


def test_the_numbers_of_the_documentation() -> None:
    with threefry_partitionable(True):
        assert float(random.normal(random.key(42))) == np.float32(-0.028304616)
    with threefry_partitionable(False):
        assert float(random.normal(random.key(42))) == np.float32(-0.18471177)
        drawn = np.asarray(random.uniform(random.PRNGKey(42), (3,)))
        assert [f"{x:.8f}" for x in drawn] == ["0.57414436", "0.10015821", "0.05946112"]
