// A change that others may listen to, for data too quick for a reactive framework.

export class Signal<T> {
  private readonly listeners = new Set<(value: T) => void>()

  /** Calls `listener` on every change until the returned function is called. */
  on(listener: (value: T) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  emit(value: T): void {
    for (const listener of this.listeners) listener(value)
  }
}
