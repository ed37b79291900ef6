import { expect, test } from 'vitest';
import { slabs } from './drawing';
import type { ModelLayer } from '$lib/api/schema';

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

test('what computes is drawn, from left to right, and what is wider is taller', () => {
    const drawn = slabs(LENET);
    expect(drawn.map(({ kind }) => kind)).toEqual(['convolution', 'pooling', 'convolution', 'pooling', 'convolution', 'linear', 'linear']);
    expect(drawn.every((slab, index) => index === 0 || slab.x > (drawn[index - 1]?.x ?? 0) + (drawn[index - 1]?.width ?? 0))).toBe(true);
    const heights = drawn.slice(0, 5).map(({ height }) => height);
    expect(heights).toEqual(heights.toSorted((a, b) => b - a));
    expect(drawn[4]?.width).toBeGreaterThan(drawn[0]?.width ?? Infinity);
    expect(drawn[0]?.title).toBe('c1: 6 × 28 × 28');
});

test('a batch dimension changes nothing', () => {
    const batched = LENET.map((each) => ({ ...each, output_shape: each.output_shape.length === 3 ? [1, ...each.output_shape] : each.output_shape }));
    expect(slabs(batched).map(({ height, width }) => [height, width])).toEqual(slabs(LENET).map(({ height, width }) => [height, width]));
});
