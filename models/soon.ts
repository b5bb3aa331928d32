/**
 * What is there at once as a rule, and else comes. An `await` of what is there costs half a
 * kilobyte and a turn, and a request passed a dozen of them.
 */
export type Soon<T> = T | Promise<T>;

/** What `next` makes of a value: now where the value is there. What it throws is thrown or rejects accordingly. */
export function soon<T, U>(value: Soon<T>, next: (value: T) => Soon<U>): Soon<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}
