# Compiles the C++ that Verilator wrote: fast*.cc, what runs in each clock, and slow.cc, what runs once.
# Variables: CXX, FLAGS (of all), FAST and SLOW (optimisation of either).

units := $(patsubst %.cc,%.o,$(wildcard fast*.cc) slow.cc)

all: $(units)

fast%.o: fast%.cc
	$(CXX) $(FAST) $(FLAGS) -c $< -o $@

slow.o: slow.cc
	$(CXX) $(SLOW) $(FLAGS) -c $< -o $@
