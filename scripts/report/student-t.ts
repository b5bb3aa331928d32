/**
 * Student's t that is exceeded with probability `tail` (0 < tail < 0.5) at `freedom` degrees of
 * freedom, of which whole ones count, one at least. Source: Abramowitz and Stegun, 26.7.3 and 26.7.4.
 */
export function studentT(tail: number, freedom: number): number {
  const whole = Math.max(1, Math.floor(freedom));
  let [low, high] = [0, Math.PI / 2];
  for (let halving = 0; halving < 50; halving++) {
    const middle = (low + high) / 2;
    if ((1 - within(middle, whole)) / 2 > tail) low = middle;
    else high = middle;
  }
  return Math.tan(low) * Math.sqrt(whole);
}

/** Probability that |t| stays below √n · tan(angle). */
function within(angle: number, n: number): number {
  const odd = n % 2 === 1;
  const square = Math.cos(angle) ** 2;
  let term = odd ? Math.cos(angle) : 1;
  let sum = odd && n === 1 ? 0 : term;
  for (let k = odd ? 3 : 2; k <= n - 2; k += 2) {
    term *= ((k - 1) / k) * square;
    sum += term;
  }
  return odd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}
