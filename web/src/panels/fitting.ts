// How many whole rows a panel has room for: text never clips, what does not fit is counted instead.
import { onMounted, onUnmounted, ref, useTemplateRef, type Ref } from 'vue'
import { rem } from '../map/zone.ts'

/** Returns the number of rows of `height` rem that fit into the template's element `field`, `reserve` rows kept for a footer. */
export function useFitting(height: number, reserve: () => number): Ref<number> {
  const field = useTemplateRef<HTMLElement>('field')
  const fitting = ref(8)
  const measure = (): void => {
    if (!field.value) return
    const style = getComputedStyle(field.value)
    const room = field.value.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom)
    fitting.value = Math.max(1, Math.floor(room / (height * rem()) - reserve() + 0.02))
  }
  const observer = new ResizeObserver(measure)
  onMounted(() => {
    if (field.value) observer.observe(field.value)
    measure()
  })
  onUnmounted(() => observer.disconnect())
  return fitting
}
