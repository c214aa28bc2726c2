"""Poseidon over the scalars of BN254 with circomlib's parameters, generated anew as the paper's authors do.

Source: Grassi and others, "Poseidon: A New Hash Function for Zero-Knowledge Proof Systems" (USENIX 2021),
appendices E (round numbers for 128 bits, x^5) and F (constants by a Grain LFSR, Cauchy matrix). Used by
bridge_vectors.py.
"""

import functools

P = 21888242871839275222246405745257275088548364400416034343698204186575808495617
BITS = 254
FULL = 8
# Partial rounds by width, from width 2.
PARTIAL = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65]


def _grain(width, partial):
    state = []
    for value, size in [(1, 2), (0, 4), (BITS, 12), (width, 12), (FULL, 10), (partial, 10), (2**30 - 1, 30)]:
        state += [value >> i & 1 for i in reversed(range(size))]

    def step():
        bit = state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0]
        state.append(bit)
        state.pop(0)
        return bit

    for _ in range(160):
        step()
    while True:
        while not step():
            step()
        yield step()


@functools.cache
def _parameters(width):
    partial = PARTIAL[width - 2]
    bits = _grain(width, partial)

    def number():
        return int("".join(str(next(bits)) for _ in range(BITS)), 2)

    constants = []
    while len(constants) < (FULL + partial) * width:
        value = number()
        if value < P:
            constants.append(value)
    drawn = [number() % P for _ in range(2 * width)]
    while len(set(drawn)) < 2 * width:
        drawn = [number() % P for _ in range(2 * width)]
    xs, ys = drawn[:width], drawn[width:]
    return partial, constants, [[pow(x + y, -1, P) for y in ys] for x in xs]


def poseidon(inputs):
    """Hash of 1 to 12 numbers below P."""
    assert all(0 <= value < P for value in inputs)
    width = len(inputs) + 1
    partial, constants, matrix = _parameters(width)
    state = [0, *inputs]
    for r in range(FULL + partial):
        state = [(s + c) % P for s, c in zip(state, constants[r * width : (r + 1) * width])]
        is_full = r < FULL // 2 or r >= FULL // 2 + partial
        state = [pow(s, 5, P) if is_full or i == 0 else s for i, s in enumerate(state)]
        state = [sum(m * s for m, s in zip(row, state)) % P for row in matrix]
    return state[0]


# circomlibjs, test/poseidon.js.
assert poseidon([1, 2]) == 0x115CC0F5E7D690413DF64C6B9662E9CF2A3617F2743245519E19607A4417189A
