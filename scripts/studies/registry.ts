/** Studies by name, loaded when asked for. A study prints its table and answers 0 when what it checks holds. */
export type Study = (print: (text: string) => void) => Promise<number>;

export const STUDIES: Readonly<Record<string, () => Promise<Study>>> = Object.freeze({});
