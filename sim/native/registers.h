// Register accesses over AXI4-Lite.
#pragma once

#include "model.h"

namespace {

constexpr uint32_t REGISTER_TIMEOUT = 1000;  // cycles

class Registers {
public:
    explicit Registers(Model& model) : model(model), top(*model.top) {}

    // In order; answers to reads are left in the accesses.
    void access(Access* accesses, uint64_t count) {
        for (uint64_t i = 0; i < count;) {
            uint64_t end = i;
            while (end < count && accesses[end].kind == WRITE) end++;
            write(accesses + i, end - i);
            if (end < count) read(accesses[end]);
            i = end + 1;
        }
    }

private:
    Model& model;
    Vmodel& top;

    // Consecutive writes follow one another without waiting for the responses, which are counted.
    void write(const Access* accesses, uint64_t count) {
        uint64_t addressed = 0, given = 0, answered = 0;
        uint64_t last_move = model.cycles;
        while (answered < count) {
            top.s_axil_awvalid = addressed < count;
            if (addressed < count) top.s_axil_awaddr = accesses[addressed].address;
            top.s_axil_wvalid = given < count;
            if (given < count) top.s_axil_wdata = accesses[given].value;
            top.s_axil_wstrb = 0xf;
            top.s_axil_bready = 1;
            model.receive();
            model.settle();
            model.observe();
            const bool address_taken = top.s_axil_awvalid && top.s_axil_awready;
            const bool data_taken = top.s_axil_wvalid && top.s_axil_wready;
            const bool answer = top.s_axil_bvalid;
            const unsigned response = top.s_axil_bresp;
            model.edge();
            addressed += address_taken;
            given += data_taken;
            if (answer && (answered >= addressed || answered >= given)) fail("write response without a write");
            if (answer && response) {
                top.s_axil_awvalid = top.s_axil_wvalid = 0;
                fail("register write 0x%03x was refused with response %u", accesses[answered].address, response);
            }
            answered += answer;
            if (address_taken || data_taken || answer) last_move = model.cycles;
            if (model.cycles - last_move > REGISTER_TIMEOUT)
                fail("register write 0x%03x was not answered within %u cycles", accesses[answered].address,
                     REGISTER_TIMEOUT);
        }
        top.s_axil_awvalid = top.s_axil_wvalid = top.s_axil_bready = 0;
    }

    void read(Access& access) {
        top.s_axil_araddr = access.address;
        top.s_axil_arvalid = top.s_axil_rready = 1;
        for (uint32_t i = 0; i < REGISTER_TIMEOUT; i++) {
            model.receive();
            model.settle();
            model.observe();
            const bool taken = top.s_axil_arvalid && top.s_axil_arready;
            const bool answered = top.s_axil_rvalid;
            const unsigned response = top.s_axil_rresp;
            access.value = top.s_axil_rdata;
            model.edge();
            if (taken) top.s_axil_arvalid = 0;
            if (!answered) continue;
            top.s_axil_rready = 0;
            if (response) fail("register read 0x%03x was refused with response %u", access.address, response);
            return;
        }
        fail("register read 0x%03x was not answered within %u cycles", access.address, REGISTER_TIMEOUT);
    }
};

}  // namespace
