"""The parts of the benchmark that can be wrong without anybody noticing: its arithmetic, its codec, its reports."""
