/** Exact Shapley values of a few players, from the worth of every coalition (edge/explain/shapley.py). */

/** Every coalition as a row of 0 and 1, [2 ** players, players]: row s holds player i where bit i is set. */
export function coalitions(players: number): Float32Array {
  return Float32Array.from({ length: 2 ** players * players }, (_, at) => (Math.floor(at / players) >> at % players) & 1);
}

/** The Shapley values [players] of the worths [2 ** players] of the coalitions, in their order. */
export function shapley(worths: ArrayLike<number>): number[] {
  const players = Math.log2(worths.length);
  // Of an order in which the coalition may form, the share in which a player comes after just these `size` others.
  const shares = Array.from({ length: players }, (_, size) => (factorial(size) * factorial(players - size - 1)) / factorial(players));
  return Array.from({ length: players }, (_, player) => {
    let value = 0;
    for (let others = 0; others < worths.length; others++) {
      if ((others >> player) & 1) continue;
      value += shares[members(others)] * (worths[others | (1 << player)] - worths[others]);
    }
    return value;
  });
}

function members(coalition: number): number {
  return coalition === 0 ? 0 : (coalition & 1) + members(coalition >> 1);
}

function factorial(n: number): number {
  return n < 2 ? 1 : n * factorial(n - 1);
}
