// The symbols that PyVerilator looks for. "ports.h" is generated: the port list as macros,
// X(name, bits, NARROW | LONG | WIDE).
#pragma once

#include "model.h"

extern "C" {

#define NAME(name, width, kind) #name,
#define WIDTH(name, width, kind) width,
#define ONE(name, width, kind) +1
EXPORT const char* _pyverilator_module_name = MODULE_NAME;
EXPORT const char* _pyverilator_json_data = "null";
EXPORT const char* _pyverilator_inputs[] = {INPUTS(NAME)};
EXPORT const char* _pyverilator_outputs[] = {OUTPUTS(NAME)};
EXPORT const char* _pyverilator_internal_signals[] = {nullptr};
EXPORT uint32_t _pyverilator_num_inputs = 0 INPUTS(ONE);
EXPORT uint32_t _pyverilator_num_outputs = 0 OUTPUTS(ONE);
EXPORT uint32_t _pyverilator_num_internal_signals = 0;
EXPORT uint32_t _pyverilator_input_widths[] = {INPUTS(WIDTH)};
EXPORT uint32_t _pyverilator_output_widths[] = {OUTPUTS(WIDTH)};
EXPORT uint32_t _pyverilator_internal_signal_widths[] = {0};

#define GET_NARROW(name) EXPORT uint32_t get_##name(Model* model) { return model->top->name; }
#define GET_LONG(name) EXPORT uint64_t get_##name(Model* model) { return model->top->name; }
#define GET_WIDE(name) EXPORT uint32_t get_##name(Model* model, uint32_t word) { return model->top->name[word]; }
#define SET_NARROW(name) EXPORT void set_##name(Model* model, uint32_t value) { model->top->name = value; }
#define SET_LONG(name) EXPORT void set_##name(Model* model, uint64_t value) { model->top->name = value; }
#define SET_WIDE(name) \
    EXPORT void set_##name(Model* model, uint64_t word, uint32_t value) { model->top->name[word] = value; }
#define GET(name, width, kind) GET_##kind(name)
#define SET(name, width, kind) SET_##kind(name)
INPUTS(GET) OUTPUTS(GET) INPUTS(SET)

static std::vector<std::string> command_arguments;  // of the next model; PyVerilator sets them before it constructs

EXPORT void set_command_args(int argc, const char** argv) { command_arguments.assign(argv, argv + argc); }

EXPORT Model* construct() {
    std::vector<const char*> argv;
    for (const std::string& argument : command_arguments) argv.push_back(argument.c_str());
    return new Model(static_cast<int>(argv.size()), argv.data());
}

EXPORT void destruct(Model* model) { delete model; }

EXPORT int eval(Model* model) {
    model->eval();
    return 0;
}

#if VM_TRACE
EXPORT Model* start_vcd_trace(Model* model, const char* path) {
    model->trace = std::make_unique<VerilatedVcdC>();
    model->top->trace(model->trace.get(), 99);
    model->trace->open(path);
    return model;
}
EXPORT void add_to_vcd_trace(Model* model, int) { model->eval(); }
EXPORT void flush_vcd_trace(Model* model) { model->trace->flush(); }
EXPORT void stop_vcd_trace(Model* model) {
    model->trace->close();
    model->trace.reset();
}
#endif
}
