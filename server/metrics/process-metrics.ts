/**
 * Series of the process: one of each, however many servers it has had. What watches the process
 * (garbage, delays of the event loop) is never taken down again, and would hold on to its server.
 */
import { collectDefaultMetrics, type Metric, Registry } from "prom-client";

let watched: Registry | undefined;

export function addProcessSeries(registry: Registry): void {
  if (watched === undefined) {
    watched = new Registry();
    collectDefaultMetrics({ register: watched });
  }
  for (const { name } of watched.getMetricsAsArray()) {
    registry.registerMetric(watched.getSingleMetric(name) as Metric); // it is one of these
  }
}
