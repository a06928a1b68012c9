"""The timing model: how many cycles a core and a part's memories take for the instructions that ran."""
