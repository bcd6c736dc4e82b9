// A Verilated model with its clock and packet ports; copies and verdicts are taken in and judged by the protocol.
//
// One cycle: inputs are set, settle() evaluates with the clock low, handshakes are looked at, edge() raises the clock.
// Ports are those of hdl/export.py's AxiNic, of any data width. Each model has its own VerilatedContext, so several
// may live in one process.
#pragma once

#include <bit>
#include <cstring>
#include <memory>
#include <type_traits>
#include <vector>

#include "Vmodel.h"
#include "ports.h"
#include "structures.h"
#include "support.h"
#include "verilated.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

static_assert(std::endian::native == std::endian::little, "ports are copied as little-endian bytes");

enum Port { NET = INGRESS, HOST = EGRESS, PORTS };  // numbered as the directions of what they take in

constexpr uint32_t RESET_CYCLES = 2;

namespace {

template <class T> using Plain = std::remove_cvref_t<T>;
using Data = Plain<decltype(Vmodel::m_axis_net_tdata)>;
using Keep = Plain<decltype(Vmodel::m_axis_net_tkeep)>;

// Which bytes of the verdict port are there: all of them, where it has room for one record and no tkeep.
template <class Top> uint32_t kept_of_verdicts(const Top& top) {
    if constexpr (requires { top.m_axis_verdict_tkeep; }) return top.m_axis_verdict_tkeep;
    return ~0u;
}

}  // namespace

// An input port and where it stands in its frame.
struct Source {
    Data& data;
    Keep& keep;
    CData &valid, &last, &user;
    CData& ready;
    CData* drop;
    const Frame* frame = nullptr;
    uint32_t sent = 0;     // bytes accepted
    bool offering = false;  // valid is up

    void idle() {
        valid = 0;
        offering = false;
    }
    bool taken() const { return offering && ready; }
    void offer(const uint8_t* bytes) {
        const uint32_t left = frame->length - sent;
        const uint32_t count = left < BEAT ? left : BEAT;
        std::memset(&data, 0, sizeof data);
        std::memcpy(&data, bytes + frame->offset + sent, count);
        std::memset(&keep, 0, sizeof keep);
        auto* mask = reinterpret_cast<uint8_t*>(&keep);
        std::memset(mask, 0xff, count / 8);
        if (count % 8) mask[count / 8] = static_cast<uint8_t>((1u << count % 8) - 1);
        last = left <= BEAT;
        user = last && frame->bad;
        if (drop) *drop = last && frame->drop;
        valid = 1;
        offering = true;
    }
    static constexpr uint32_t BEAT = DATA_BITS / 8;
};

struct Model {
    VerilatedContext context;
    std::unique_ptr<Vmodel> top;
    std::unique_ptr<Source> sources[PORTS];
    uint64_t cycles = 0;
    std::string error;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif

    // What came out since the batch began.
    std::vector<uint8_t> bytes;
    std::vector<Copy> copies;
    std::vector<VerdictAt> verdicts;
    uint64_t mirrored = 0;

    // The copy being received, and the beat that waits for tready.
    uint64_t copy_start = 0;
    bool waiting = false, in_copy = false;
    Data held_data;
    Keep held_keep;
    CData held_last = 0, held_user = 0;
    bool moved = false;  // something was handed over in this cycle

    Model(int argc, const char** argv) {
        context.commandArgs(argc, argv);
#if VM_TRACE
        context.traceEverOn(true);
#endif
        top = std::make_unique<Vmodel>(&context, "TOP");
        sources[NET].reset(new Source{top->s_axis_net_tdata, top->s_axis_net_tkeep, top->s_axis_net_tvalid,
            top->s_axis_net_tlast, top->s_axis_net_tuser, top->s_axis_net_tready, &top->s_axis_net_drop});
        sources[HOST].reset(new Source{top->s_axis_host_tdata, top->s_axis_host_tkeep, top->s_axis_host_tvalid,
            top->s_axis_host_tlast, top->s_axis_host_tuser, top->s_axis_host_tready, nullptr});
    }
    ~Model() { top->final(); }

    void settle() {
        top->clk = 0;
        eval();
    }
    void edge() {
        top->clk = 1;
        eval();
        cycles++;
    }
    void eval() {
        top->eval();
#if VM_TRACE
        if (trace) trace->dump(context.time());
#endif
        context.timeInc(1);
    }

    // Look at the outputs after settle(); remembers copies and verdicts, throws on a protocol violation.
    void observe() {
        moved = false;
        if (top->m_axis_verdict_tvalid) {
            const auto* records = reinterpret_cast<const uint8_t*>(&top->m_axis_verdict_tdata);
            for (uint32_t at = 0; at < sizeof top->m_axis_verdict_tdata; at += RECORD_SIZE) {
                if (!(kept_of_verdicts(*top) >> at & 1)) continue;
                VerdictAt verdict;
                std::memcpy(verdict.record, records + at, RECORD_SIZE);
                verdict.cycle = cycles;
                verdicts.push_back(verdict);
            }
            moved = true;
        }
        const bool valid = top->m_axis_net_tvalid;
        if (waiting) {
            if (!valid) fail("cycle %llu: m_axis_net_tvalid fell before tready", now());
            if (std::memcmp(&held_data, &top->m_axis_net_tdata, sizeof held_data) ||
                std::memcmp(&held_keep, &top->m_axis_net_tkeep, sizeof held_keep) ||
                held_last != top->m_axis_net_tlast || held_user != top->m_axis_net_tuser)
                fail("cycle %llu: m_axis_net changed while it waited for tready", now());
        }
        waiting = valid && !top->m_axis_net_tready;
        if (waiting) {
            held_data = top->m_axis_net_tdata;
            held_keep = top->m_axis_net_tkeep;
            held_last = top->m_axis_net_tlast;
            held_user = top->m_axis_net_tuser;
        }
        if (valid && top->m_axis_net_tready) accept_beat();
    }

    void accept_beat() {
        const uint32_t count = kept_bytes();
        if (!top->m_axis_net_tlast && count != Source::BEAT)
            fail("cycle %llu: m_axis_net_tkeep is not full before tlast", now());
        if (!in_copy) copy_start = bytes.size();
        const auto* data = reinterpret_cast<const uint8_t*>(&top->m_axis_net_tdata);
        bytes.insert(bytes.end(), data, data + count);
        in_copy = !top->m_axis_net_tlast;
        if (!in_copy)
            copies.push_back({copy_start, cycles, static_cast<uint32_t>(bytes.size() - copy_start)});
        moved = true;
    }

    uint32_t kept_bytes() {
        const auto* mask = reinterpret_cast<const uint8_t*>(&top->m_axis_net_tkeep);
        uint32_t count = 0;
        while (count < Source::BEAT && mask[count / 8] >> count % 8 & 1) count++;
        for (uint32_t i = count; i < Source::BEAT; i++)
            if (mask[i / 8] >> i % 8 & 1) fail("cycle %llu: m_axis_net_tkeep is not contiguous", now());
        if (!count) fail("cycle %llu: m_axis_net_tkeep is empty", now());
        return count;
    }

    // As anybody would who has just switched it on, or in the middle of anything: what is under way is gone.
    void reset() {
        for (auto& source : sources) {
            source->idle();
            source->frame = nullptr;
        }
        if (in_copy) bytes.resize(copy_start);
        in_copy = waiting = false;
        top->rst = 1;
        for (uint32_t i = 0; i < RESET_CYCLES; i++) {
            settle();
            edge();
        }
        top->rst = 0;
        cycles = 0;
    }

    void idle_cycle() {
        top->m_axis_net_tready = 1;
        settle();
        observe();
        edge();
    }

    void clear() {
        bytes.clear();
        copies.clear();
        verdicts.clear();
        mirrored = 0;
    }

    unsigned long long now() const { return cycles; }
};
