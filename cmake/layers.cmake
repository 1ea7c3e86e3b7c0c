# prova_layer(NAME): the static library prova_NAME from every .c of the folder.
function(prova_layer name)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
    add_library(prova_${name} STATIC ${sources})
endfunction()

# prova_test(NAME SUITE ... LIBS ...): one Check program under ctest, with a label and a time limit in seconds.
function(prova_test name)
    cmake_parse_arguments(T "" "LABEL;TIMEOUT" "SOURCES;LIBS" ${ARGN})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    add_executable(${name} ${T_SOURCES})
    target_link_libraries(${name} PRIVATE ${T_LIBS} PkgConfig::CHECK)
    add_test(NAME ${name} COMMAND ${name})
    if(PROVA_SANITIZE) # takes several times as long, and Check allows each test 4 s
        math(EXPR T_TIMEOUT "4 * ${T_TIMEOUT}")
        set_tests_properties(${name} PROPERTIES ENVIRONMENT_MODIFICATION CK_TIMEOUT_MULTIPLIER=set:4)
    endif()
    set_tests_properties(${name} PROPERTIES LABELS "${T_LABEL}" TIMEOUT ${T_TIMEOUT})
endfunction()

# prova_fuzz(NAME SOURCES ... LIBS ...): the fuzz target fuzz_NAME, a program around LLVMFuzzerTestOneInput. With clang and
# PROVA_FUZZ=ON it is libFuzzer's; otherwise, and under ctest, it runs every file of tests/fuzz/corpus/NAME, and a few
# hundred mutations of each that are the same every time.
option(PROVA_FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)
function(prova_fuzz name)
    cmake_parse_arguments(F "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(fuzz_${name} ${F_SOURCES})
    target_link_libraries(fuzz_${name} PRIVATE ${F_LIBS})
    set(corpus ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${name})
    if(PROVA_FUZZ)
        target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
        add_test(NAME fuzz_${name} COMMAND fuzz_${name} -runs=20000 ${corpus})
    else()
        target_sources(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
        add_test(NAME fuzz_${name} COMMAND fuzz_${name} ${corpus})
    endif()
    set_tests_properties(fuzz_${name} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()
