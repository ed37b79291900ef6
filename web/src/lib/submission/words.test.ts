import { expect, test } from 'vitest';
import { quotaAfterRejection } from './words';

/** CONTRACT section 3: while images are private, a model counts from its first hidden image on, however it ends. */
test('a rejected model counts where it has seen hidden images, and nothing else that was rejected does', () => {
    const model = { parameters: 61_706 };
    expect(quotaAfterRejection({ kind: 'model', model }, false)).toContain('so it counts');
    expect(quotaAfterRejection({ kind: 'model', model }, true)).toContain('does not count');
    expect(quotaAfterRejection({ kind: 'model', model: null }, false)).toContain('does not count');
    expect(quotaAfterRejection({ kind: 'predictions', model: null }, false)).toContain('does not count');
});
