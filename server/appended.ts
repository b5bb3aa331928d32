/**
 * The list with one more item. The first makes a list of exactly one: most stay so, and
 * what is pushed to an empty array gets room for seventeen.
 */
export function appended<T>(list: T[], item: T): T[] {
  if (list.length === 0) return [item];
  list.push(item);
  return list;
}
