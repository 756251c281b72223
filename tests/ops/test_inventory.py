"""Stock that a forecast asks for: what must hold of any policy, and simulations that it must survive."""

from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivetrain.core.errors import InvalidInput
from drivetrain.ops import inventory
from drivetrain.ops.inventory import Supply

PRICES = st.floats(0.01, 1e4)
SUPPLIES = st.builds(Supply, st.floats(0.5, 60), st.floats(0, 10), st.floats(0, 30))


@given(PRICES, PRICES)
def test_the_service_level_is_a_share_that_dear_shortages_raise(shortage, holding):
    level = inventory.service_level(shortage, holding)
    assert 0 < level < 1
    assert inventory.service_level(2 * shortage, holding) > level
    with pytest.raises(InvalidInput):
        inventory.service_level(shortage, 0.0)


@pytest.mark.parametrize(("shortage", "holding"), [(9.0, 1.0), (1.0, 1.0), (1.0, 4.0)])
def test_the_newsvendor_stock_costs_least(shortage, holding):
    demand = np.random.default_rng(1).gamma(2.0, 10.0, 20_000)
    level = inventory.service_level(shortage, holding)
    best = float(np.quantile(demand, level))
    cost = {
        stock: inventory.mismatch_cost(demand, np.full(len(demand), stock), shortage, holding).mean()
        for stock in (0.8 * best, best, 1.2 * best)
    }
    assert min(cost, key=cost.get) == best


@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=3), st.floats(0, 1))
def test_quantiles_between_quantiles_rise_with_the_level(values, level):
    levels = np.array([0.05, 0.5, 0.95])
    found = inventory.quantile_of(levels, np.array(values), level)
    assert found <= inventory.quantile_of(levels, np.array(values), min(1.0, level + 0.1)) + 1e-9
    assert values[0] - 1e-9 <= found <= max(values) + 1e-9


def test_the_spread_of_normal_demand_is_found_again():
    normal = NormalDist(100, 7)
    low, high = np.array([normal.inv_cdf(0.05)]), np.array([normal.inv_cdf(0.95)])
    assert inventory.spread_of(low, high, 0.9)[0] == pytest.approx(7)


@given(st.floats(0, 1e4), st.floats(0, 1e3), SUPPLIES, st.floats(0.5, 0.999))
def test_more_doubt_is_more_stock(mean, deviation, supply, level):
    found = inventory.stock_level(mean, deviation, supply, level)
    assert found.safety >= -1e-6
    assert found.reorder_point >= found.safety - 1e-6
    longer = Supply(supply.lead * 2, supply.lead_sd, supply.review)
    assert inventory.stock_level(mean, deviation, longer, level).safety >= found.safety - 1e-6
    assert inventory.stock_level(mean, deviation * 2, supply, level).safety >= found.safety - 1e-6


def test_the_reorder_point_holds_its_level_in_a_simulation():
    draw = np.random.default_rng(2)
    supply = Supply(lead=9, review=0)
    level = inventory.stock_level(20.0, 6.0, supply, 0.95)
    demand = draw.normal(20, 6, (20_000, 9)).sum(axis=1)
    assert np.mean(demand <= level.reorder_point) == pytest.approx(0.95, abs=0.006)


def test_lead_times_that_vary_are_in_the_safety_stock():
    draw = np.random.default_rng(3)
    lead = np.maximum(0, draw.normal(16, 3, 40_000))
    demand = draw.normal(20 * lead, 6 * np.sqrt(lead))
    level = inventory.stock_level(20.0, 6.0, Supply(lead=16, lead_sd=3), 0.95)
    assert np.mean(demand <= level.reorder_point) == pytest.approx(0.95, abs=0.006)


@given(st.floats(-100, 1000), st.floats(0, 500), st.floats(0, 1000), st.integers(1, 48))
def test_an_order_is_whole_packs_that_reach_the_level(position, point, extra, pack):
    up_to = point + extra
    size = inventory.order_size(position, point, up_to, pack)
    assert size >= 0
    assert size % pack == 0
    if position > point:
        assert size == 0
    else:
        assert position + size >= up_to - 1e-6
        assert size < max(0.0, up_to - position) + pack + 1e-6
    with pytest.raises(InvalidInput):
        inventory.order_size(position, point, up_to, 0)
