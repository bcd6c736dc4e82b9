"""The golden model: what the NIC must do, in plain Python, written from ``docs/mirroring.md`` alone.

It imports nothing of the gateware: two independent answers to the same question, or their agreement proves
nothing. ``model.Model`` judges frames; the other modules are its steps, one each, in the order of judgement.
"""
