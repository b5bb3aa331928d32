/** A study prints its tables and answers 0 when what it checks holds. */
export type Study = (print: (text: string) => void) => Promise<number>;
