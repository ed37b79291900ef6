import { expect, test } from 'vitest';
import type { ModelLayer } from '$lib/api/schema';
import { drawingOf } from './drawing';

const layer = (name: string, op: string, output_shape: number[]): ModelLayer => ({ name, op, output_shape, parameters: 0, macs: 0 });

/** LeNet-5 of LeCun et al. 1998, its sizes from section II.B. */
const LENET = [
    layer('c1', 'Conv', [6, 28, 28]),
    layer('tanh', 'Tanh', [6, 28, 28]),
    layer('s2', 'AveragePool', [6, 14, 14]),
    layer('c3', 'Conv', [16, 10, 10]),
    layer('s4', 'AveragePool', [16, 5, 5]),
    layer('c5', 'Conv', [120, 1, 1]),
    layer('f6', 'Gemm', [84]),
    layer('output', 'Gemm', [10]),
];
/** As many layers as ResNet-152 has. */
const DEEP = Array.from({ length: 152 }, (_, index) => layer(`conv${index}`, 'Conv', [64, 56, 56]));

test('what computes is drawn, from left to right, and what is wider is taller', () => {
    const { slabs } = drawingOf(LENET);
    expect(slabs.map(({ kind }) => kind)).toEqual(['convolution', 'pooling', 'convolution', 'pooling', 'convolution', 'linear', 'linear']);
    const heights = slabs.slice(0, 5).map(({ height }) => height);
    expect(heights).toEqual(heights.toSorted((a, b) => b - a));
    expect(slabs[4]?.width).toBeGreaterThan(slabs[0]?.width ?? Infinity);
    expect(slabs[0]).toMatchObject({ name: 'c1', shape: '6 × 28 × 28' });
});

test('slabs do not overlap, and few of them have names below', () => {
    for (const [layers, isLabelled] of [[LENET, true], [DEEP, false]] as const) {
        const drawing = drawingOf(layers);
        expect(drawing.isLabelled).toBe(isLabelled);
        const ends = drawing.slabs.map(({ x, width }) => x + width);
        expect(drawing.slabs.every(({ x }, index) => x > (ends[index - 1] ?? -1))).toBe(true);
        expect(ends.at(-1)).toBeLessThanOrEqual(drawing.width);
    }
});

test('a batch dimension changes nothing', () => {
    const batched = LENET.map((each) => ({ ...each, output_shape: each.output_shape.length === 3 ? [1, ...each.output_shape] : each.output_shape }));
    const sizes = (layers: readonly ModelLayer[]): number[][] => drawingOf(layers).slabs.map(({ height, width }) => [height, width]);
    expect(sizes(batched)).toEqual(sizes(LENET));
});
