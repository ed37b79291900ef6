import { expect, test } from 'vitest';
import { FASHION_MNIST } from './challenge.fixture';
import { labelsFrom } from './samples';

test('labels are read by index, name or id, and a line that is cut off is left out', () => {
    const text = 'image,label\r\n0,2\r\n1,Trouser\r\n2,n03\r\n3,9\r\nname.png,1\r\n4,1';
    expect([...labelsFrom(text, FASHION_MNIST.classes)]).toEqual([['0', 2], ['1', 1], ['2', 2], ['name.png', 1]]);
});
