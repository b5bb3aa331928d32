/** Serving rows: the project's own engine over the simulated device in virtual time. */

export interface Serving {
  /** The metric's value in ms, tokens/s or requests/s; undefined when it is not one of serving's. */
  metric(name: string, percentile: string, stepAlone: boolean): number | undefined;
}
