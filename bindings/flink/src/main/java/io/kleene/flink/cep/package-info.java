/**
 * Moves patterns of Flink CEP to Kleene: {@link io.kleene.flink.cep.PatternRules} writes a rule for
 * a {@code Pattern}. It needs {@code flink-cep} on the class path, and nothing else of Kleene.
 */
package io.kleene.flink.cep;
