"""From a run folder to a bundle: conversion, quantization, parity."""
