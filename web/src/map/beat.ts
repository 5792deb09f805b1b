// The map's beat: what changed is applied together, at most once in a while, so that a change costs one frame.

const LEAST_MS = 1_000

export class Beat {
  private readonly works = new Set<() => void>()
  private appliedAt = -Infinity
  private due: ReturnType<typeof setTimeout> | undefined

  /** Does `work` with the next beat; work asked for again before it is done once. */
  ask(work: () => void): void {
    this.works.add(work)
    this.due ??= setTimeout(() => this.apply(), Math.max(0, this.appliedAt + LEAST_MS - performance.now()))
  }

  stop(): void {
    clearTimeout(this.due)
    this.works.clear()
  }

  private apply(): void {
    this.due = undefined
    this.appliedAt = performance.now()
    const works = [...this.works]
    this.works.clear()
    for (const work of works) work()
  }
}
