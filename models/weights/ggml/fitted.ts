/**
 * Groups that are a scale times codes less a minimum, as 8-bit codes with a whole zero, which
 * is what the runtime's products take.
 */

/** (code − zero) · scale, with a code for each level. */
export interface Fit {
  readonly scale: number;
  readonly zero: number;
  readonly codes: Uint8Array;
}

const MOST_CODE = 255;

/**
 * scale · q − minimum for q of 0 to `levels` − 1, as (q · step − zero) · scale / step: `step` is
 * the one, of those whose codes fit 8 bits, whose zero is nearest to a whole number. What is
 * left is one shift of the whole group, at most scale / 34 of 16 levels where the minimum is
 * small. A minimum that no zero reaches is rounded as any numbers are.
 */
export function fitted(scale: number, minimum: number, levels: number): Fit {
  const offset = scale === 0 ? Number.POSITIVE_INFINITY : minimum / scale;
  const steps = stepsOf(levels);
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (let step = 1; step < steps.length; step++) {
    const zero = Math.round(offset * step);
    if (!(zero >= 0 && zero <= MOST_CODE)) continue;
    const error = Math.abs(offset * step - zero) / step;
    if (error < least) [best, least] = [step, error];
  }
  const codes = steps[best];
  if (best === 0 || codes === undefined) return rounded(scale, minimum, levels);
  return { scale: scale / best, zero: Math.round(offset * best), codes };
}

const known = new Map<number, readonly Uint8Array[]>();

/** Codes of each step from 0 to the largest. */
function stepsOf(levels: number): readonly Uint8Array[] {
  let steps = known.get(levels);
  if (steps === undefined) {
    steps = Array.from({ length: Math.floor(MOST_CODE / (levels - 1)) + 1 }, (_, step) =>
      Uint8Array.from({ length: levels }, (_, level) => level * step),
    );
    known.set(levels, steps);
  }
  return steps;
}

function rounded(scale: number, minimum: number, levels: number): Fit {
  const numbers = Array.from({ length: levels }, (_, level) => scale * level - minimum);
  const least = Math.min(0, ...numbers);
  const unit = (Math.max(0, ...numbers) - least) / MOST_CODE;
  if (unit === 0) return { scale: 0, zero: 0, codes: new Uint8Array(levels) };
  const zero = Math.round(-least / unit);
  const code = (number: number): number =>
    Math.min(MOST_CODE, Math.max(0, zero + Math.round(number / unit)));
  return { scale: unit, zero, codes: Uint8Array.from(numbers, code) };
}
