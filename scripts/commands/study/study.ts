/** A study prints its tables and answers 0 when what it checks holds. */
export type Study = (print: (text: string) => void, options?: StudyOptions) => Promise<number>;

export interface StudyOptions {
  /** Folder for its charts; absent: none is written. */
  readonly out?: string;
}
