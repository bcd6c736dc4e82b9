// Lets the simulation run inside the Python executable itself.
//
// cocotb loads libpython into the simulator, but many distributions install python3 without the shared library:
// their executable contains the interpreter and exports its API. So the model is linked as a shared object and
// preloaded into that executable, where this file puts the simulation's main in the place of the interpreter's.

#include <cstdlib>
#include <dlfcn.h>

int simulation_main(int argc, char** argv);  // the main of cocotb's verilator.cpp, renamed by the build

namespace {

using Main = int (*)(int, char**, char**);
using Start = int (*)(Main, int, char**, void (*)(), void (*)(), void (*)(), void*);

int simulate(int argc, char** argv, char**) {
    unsetenv("LD_PRELOAD");  // not for the programs that a bench may start
    return simulation_main(argc, argv);
}

}  // namespace

// The C library's entry for programs: (main, argc, argv, init, fini, rtld_fini, stack_end).
extern "C" int __libc_start_main(Main, int argc, char** argv, void (*init)(), void (*fini)(), void (*rtld_fini)(),
                                 void* stack_end) {
    auto start = reinterpret_cast<Start>(dlsym(RTLD_NEXT, "__libc_start_main"));
    return start(simulate, argc, argv, init, fini, rtld_fini, stack_end);
}
