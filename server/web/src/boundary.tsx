/** A view that cannot show what it was given says so, and leaves the rest of the page alive. */
import { Component, type ComponentChildren } from "preact";

interface State {
  readonly failure?: string | undefined;
}

export class Boundary extends Component<{ readonly children: ComponentChildren }, State> {
  override state: State = {};

  static override getDerivedStateFromError(error: unknown): State {
    return { failure: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    if (this.state.failure === undefined) return this.props.children;
    return (
      <section class="panel column">
        <p class="error" role="alert">
          This view cannot show what it was given: {this.state.failure}
        </p>
        <div class="row">
          <button type="button" onClick={() => this.setState({ failure: undefined })}>
            Try again
          </button>
        </div>
      </section>
    );
  }
}
