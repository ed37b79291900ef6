import { expect, test } from 'vitest';
import { asSentence, pieces } from './prose';

test('code in a text is told apart', () => {
    expect(pieces('send `x` or nothing')).toEqual([
        { text: 'send ', isCode: false },
        { text: 'x', isCode: true },
        { text: ' or nothing', isCode: false },
    ]);
});

test('what the server says becomes a sentence', () => {
    expect(asSentence('the prefix `module.` was stripped')).toBe('The prefix `module.` was stripped.');
    expect(asSentence('fc.weight is [21843,2048]; replace the head')).toBe('fc.weight is [21843,2048]; replace the head.');
    expect(asSentence('`fc.weight` is missing')).toBe('`fc.weight` is missing.');
});
