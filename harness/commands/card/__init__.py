"""The subcommands about cards and boards: their bitstreams, registers, ports and bench files."""
