"""What always holds in the good circuit, guessed from simulation; the proofs of `washout` use what they can prove."""
