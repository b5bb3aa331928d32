/** Devices by name, loaded when asked for. A device is one folder and one line here. */
import type { Device } from "./device.ts";
import type { DeviceFactory, DeviceSettings } from "./settings.ts";

const DEVICES: Readonly<Record<string, () => Promise<DeviceFactory>>> = Object.freeze({
  null: async () => (await import("./null/device.ts")).createNullDevice,
  cpu: async () => (await import("./cpu/device.ts")).createCpuDevice,
  trainium: async () => (await import("./trainium/device.ts")).createTrainiumDevice,
});

export const deviceNames: readonly string[] = Object.keys(DEVICES);

export async function createDevice(name: string, settings: DeviceSettings): Promise<Device> {
  const load = DEVICES[name];
  if (load === undefined) {
    throw new Error(`Unknown device "${name}"; known: ${deviceNames.join(", ")}.`);
  }
  return (await load())(settings);
}
