/** A command line that cannot be served; `message` is one clear line. */
export class SettingsError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 2) {
    super(message);
    this.name = "SettingsError";
    this.exitCode = exitCode;
  }
}
