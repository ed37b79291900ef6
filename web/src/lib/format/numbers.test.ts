import { describe, expect, test } from 'vitest';
import { bytes, counted, percent, percentInterval, rankRange, scaled, speed } from './numbers';

describe('percentages', () => {
    // 546 wrong of 5,000 and its 95 % Wilson interval, as the README shows them.
    test('have two decimals and a space that does not break', () => {
        expect(percent(546 / 5000)).toBe('10.92\u00a0%');
        expect(percentInterval([0.100853, 0.118147])).toBe('10.09–11.81\u00a0%');
    });
});

describe('large counts', () => {
    // AlexNet's and VGG-16's parameters and ResNet-50's multiply-accumulates, from torchvision's table.
    test.each([
        [61_100_840, '61.1', 'M'],
        [138_357_544, '138.4', 'M'],
        [4_089_000_000, '4.1', 'G'],
        [999_960, '1.0', 'M'],
        [1_000, '1.0', 'k'],
        [42, '42', ''],
        [0, '0', ''],
    ])('%d', (value, digits, prefix) => {
        expect(scaled(value)).toEqual({ digits, prefix });
    });

    test('are counted in words', () => {
        expect(counted(1, 'team')).toBe('1 team');
        expect(counted(10_000, 'class', 'classes')).toBe('10,000 classes');
    });
});

test('slow speeds have a decimal', () => {
    expect([0.52, 9.94, 9.96, 5000.4].map(speed)).toEqual(['0.5', '9.9', '10', '5,000']);
});

test('bytes are counted in powers of 1024', () => {
    // The size of Fashion-MNIST's training images as NPY: 60,000 × 28 × 28 + 128.
    expect(bytes(47_040_128)).toBe('44.9\u00a0MiB');
    expect(bytes(512)).toBe('512\u00a0B');
});

describe('the range of a rank', () => {
    test('is shown where it says more than the rank', () => {
        expect(rankRange(3, 2, 5)).toBe('(2–5)');
        expect(rankRange(1, 1, 1)).toBe('');
    });
    test('is left out while it lags behind the board', () => {
        expect(rankRange(6, 2, 5)).toBe('');
        expect(rankRange(3, null, null)).toBe('');
    });
});
