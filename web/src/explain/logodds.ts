/** What an explanation puts a number on: the log-odds of one class against all others (edge/explain/values.py). */

/** z_c less the log of the sum of the exponentials of the other logits. */
export function logOdds(logits: ArrayLike<number>, chosen: number): number {
  const others = Array.from(logits).filter((_, index) => index !== chosen);
  const highest = Math.max(...others);
  return logits[chosen] - highest - Math.log(others.reduce((sum, logit) => sum + Math.exp(logit - highest), 0));
}
