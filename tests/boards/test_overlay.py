"""What is wrong in amaranth-boards is right in the overlay: one name per signal, and all ports at once."""

from __future__ import annotations

import pytest
from amaranth.build import ResourceError
from amaranth.build.res import ResourceManager
from amaranth_boards.colorlight_5a75b_r7_0 import Colorlight_5A75B_R70Platform
from amaranth_boards.ecpix5 import ECPIX585Platform
from amaranth_boards.versa_ecp5_5g import VersaECP55GPlatform

from halfsilver.boards.overlay import RGMII, rgmii_port, with_ports

PLATFORMS = {VersaECP55GPlatform: 2, Colorlight_5A75B_R70Platform: 2, ECPIX585Platform: 1}


def test_the_definition_still_needs_it():
    """Where this fails, amaranth-boards has mended its Colorlight, and the overlay can be less."""
    resources = ResourceManager(Colorlight_5A75B_R70Platform.resources, [])
    resources.request("eth_rgmii", 0, dir="-")
    with pytest.raises(ResourceError):
        resources.request("eth_rgmii", 1, dir="-")


@pytest.mark.parametrize(("platform", "ports"), PLATFORMS.items())
def test_all_ports_resets_and_nothing_twice(platform, ports):
    resources = ResourceManager(with_ports(platform.resources), [])
    pins: list[str] = []
    for number in range(ports):
        port = resources.request("rgmii", number, dir="-")
        for name in RGMII:
            pins += [meta.name for meta in getattr(port, name).io.metadata]
        assert len(port.tx_data) == len(port.rx_data) == 4
    pairs = [number for (name, number) in resources.resources if name == "mdio"]
    for number in pairs:
        pair = resources.request("mdio", number, dir="-")
        pins += [meta.name for part in (pair.mdc, pair.mdio) for meta in part.io.metadata]
    resets = [number for (name, number) in resources.resources if name == "phy_rst"]
    for number in resets:
        pins += [meta.name for meta in resources.request("phy_rst", number, dir="-").io.metadata]
    assert len(pins) == len(set(pins)) == 12 * ports + 2 * len(pairs) + len(resets)
    assert not [name for (name, number) in resources.resources if name == "eth_rgmii"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_pins_attributes_and_order_are_those_of_the_definition(platform):
    for resource in platform.resources:
        if resource.name != "eth_rgmii":
            continue
        theirs = {part.name.replace("ctrl", "ctl"): part for part in resource.ios}
        mine = rgmii_port(resource)
        assert mine.attrs == resource.attrs and [part.name for part in mine.ios] == list(RGMII)
        for part in mine.ios:
            assert part.ios[0].names == theirs[part.name].ios[0].names
            assert part.ios[0].dir == theirs[part.name].ios[0].dir
        assert [part.clock.frequency for part in mine.ios if part.clock] == [125e6]


def test_the_colorlights_ports_share_reset_and_management():
    resources = with_ports(Colorlight_5A75B_R70Platform.resources)
    assert [[part.ios[0].names for part in each.ios] for each in resources if each.name == "mdio"] == [[["P3"], ["T2"]]]
    assert [part.ios[0].names for part in resources if part.name == "phy_rst"] == [["P5"]]
    assert [part.ios[0].invert for part in resources if part.name == "phy_rst"] == [True]


def test_a_port_that_lacks_a_signal():
    port = next(part for part in ECPIX585Platform.resources if part.name == "eth_rgmii")
    kept = [part for part in port.ios if part.name != "rx_ctrl"]
    with pytest.raises(ValueError, match="eth_rgmii#0 has no rx_ctl"):
        rgmii_port(type(port)("eth_rgmii", 0, *kept, port.attrs))
