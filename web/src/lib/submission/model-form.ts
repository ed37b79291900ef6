/** What a submitter says about a model beside its file. */
import { IMAGENET_RECIPE, pastedRecipe, recipeOf, type RecipeFaults, type RecipeFields, type RecipeSource } from './preprocess';

export interface ModelForm {
    architecture: string;
    recipeSource: RecipeSource;
    recipe: RecipeFields;
    pastedRecipe: string;
    classOrder: 'challenge' | 'wnid' | 'file';
    /** One class name or id a line, in the order of the model's columns. */
    classOrderFile: string;
    classOffset: string;
    output: string;
    /** Side files of an ONNX model, under the names by which it refers to them. */
    data: File[];
}

export type ModelFaults = RecipeFaults & { architecture?: string; classOffset?: string; classOrderFile?: string };

export function emptyModelForm(): ModelForm {
    return {
        architecture: '',
        recipeSource: 'network',
        recipe: { ...IMAGENET_RECIPE },
        pastedRecipe: '',
        classOrder: 'challenge',
        classOrderFile: '',
        classOffset: '',
        output: '',
        data: [],
    };
}

/** What is wrong, by field; empty where nothing is. */
export function modelFaults(form: ModelForm, file: 'safetensors' | 'onnx' | undefined, metadata: Record<string, string>): ModelFaults {
    const faults: ModelFaults = {};
    if (file === 'safetensors' && form.architecture.trim() === '' && !metadata.architecture) {
        faults.architecture = 'A safetensors file holds weights only: say which network they are for.';
    }
    if (form.classOffset.trim() !== '' && !/^[0-9]+$/.test(form.classOffset.trim())) faults.classOffset = 'A whole number from 0.';
    if (form.classOrder === 'file' && form.classOrderFile.trim() === '') faults.classOrderFile = 'Choose the list.';
    if (form.recipeSource === 'fields') Object.assign(faults, recipeOf(form.recipe).faults);
    if (form.recipeSource === 'json') Object.assign(faults, pastedRecipe(form.pastedRecipe).faults);
    return faults;
}

/** The fields of the request. */
export function modelFields(form: ModelForm, file: 'safetensors' | 'onnx' | undefined): [string, string][] {
    const fields: [string, string][] = [];
    if (file !== 'onnx' && form.architecture.trim()) fields.push(['architecture', form.architecture.trim()]);
    if (form.recipeSource === 'fields') fields.push(['preprocess', JSON.stringify(recipeOf(form.recipe).recipe)]);
    if (form.recipeSource === 'json') fields.push(['preprocess', pastedRecipe(form.pastedRecipe).recipe]);
    if (form.classOrder === 'wnid') fields.push(['class_order', 'wnid']);
    if (form.classOrder === 'file') fields.push(['class_order', form.classOrderFile]);
    if (form.classOffset.trim()) fields.push(['class_offset', form.classOffset.trim()]);
    if (file !== 'safetensors' && form.output.trim()) fields.push(['output', form.output.trim()]);
    return fields;
}
