// Register accesses, resets and outputs that are held, at given cycles of a batch, while frames run.
#pragma once

#include <utility>
#include <vector>

#include "model.h"

namespace {

// Events in order: each begins at its cycle, or when the one before it is answered.
class Schedule {
public:
    Schedule(Model& model, std::vector<Event> events) : top(*model.top), events(std::move(events)) {}

    bool done() const { return next == events.size(); }
    bool is_due(uint64_t cycle) const { return !done() && cycle >= event().cycle; }
    bool resets(uint64_t cycle) const { return is_due(cycle) && event().kind == RESET; }

    // The outputs that are held from this cycle on, by their bits.
    uint32_t held(uint64_t cycle) {
        for (; !under_way && is_due(cycle) && event().kind == HOLD; next++) holding = event().value;
        return holding;
    }

    void drive(uint64_t cycle) {
        if (!under_way && is_due(cycle) && event().kind != RESET && event().kind != HOLD) {
            under_way = true;
            addressed = given = false;
        }
        const bool writes = under_way && event().kind == WRITE;
        const bool reads = under_way && event().kind == READ;
        top.s_axil_awvalid = writes && !addressed;
        top.s_axil_wvalid = writes && !given;
        top.s_axil_bready = writes;
        top.s_axil_arvalid = reads && !addressed;
        top.s_axil_rready = reads;
        if (!under_way) return;
        top.s_axil_awaddr = top.s_axil_araddr = event().address;
        top.s_axil_wdata = event().value;
        top.s_axil_wstrb = 0xf;
    }

    // After the ports have settled; true if an access was answered as it should be.
    bool sample() {
        if (!under_way) return false;
        addressed |= top.s_axil_awvalid && top.s_axil_awready;
        addressed |= top.s_axil_arvalid && top.s_axil_arready;
        given |= top.s_axil_wvalid && top.s_axil_wready;
        const bool reads = event().kind == READ;
        if (!(reads ? top.s_axil_rvalid : top.s_axil_bvalid)) return false;
        if (reads ? top.s_axil_rresp : top.s_axil_bresp)
            fail("scheduled access to register 0x%03x was refused", event().address);
        under_way = false;
        if (reads && (top.s_axil_rdata & event().mask) != event().value) return false;  // and again
        next++;
        return true;
    }

private:
    Vmodel& top;
    const std::vector<Event> events;
    size_t next = 0;
    uint32_t holding = 0;
    bool under_way = false, addressed = false, given = false;

    const Event& event() const { return events[next]; }
};

}  // namespace
